"""The adapters to AWS: the ports of ``ports`` over DynamoDB, SQS and Step Functions, and the shapes of their events."""
