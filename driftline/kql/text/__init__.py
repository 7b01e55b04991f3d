"""KQL as text: tokens, terms, constants, problems with their spans, hints."""
