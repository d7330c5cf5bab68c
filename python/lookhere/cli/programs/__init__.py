"""Commands that other programs talk to: browsers, OpenAI's clients, hosts of agents."""
