"""Options, output formats and the HTTP client that several commands use."""
