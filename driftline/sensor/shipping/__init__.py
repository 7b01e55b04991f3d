"""The process that ships rows to a server: spool, credentials, policy subscription."""
