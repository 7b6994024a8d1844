"""The protocol's model and rules, and the ports that the outside implements. Pure: no AWS, no clock, no framework."""
