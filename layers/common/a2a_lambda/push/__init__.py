"""What goes out: push configs, events, first attempts and redelivery, the schedule, signing and sending."""
