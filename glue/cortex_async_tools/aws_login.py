"""How a person gets AWS credentials for the commands that call AWS."""

HOW_TO_LOG_IN = (
    "log in (`aws sso login`, `aws configure`), choose a profile (AWS_PROFILE), set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY (with AWS_SESSION_TOKEN for temporary ones), or take a role "
    "(AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE, or that of the container or the instance)"
)
"""Every way that the AWS SDK looks for credentials, in its order."""
