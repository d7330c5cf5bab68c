"""Messages as tokens: the chat template and the layout of a prompt."""
