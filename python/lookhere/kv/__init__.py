"""What the KV cache holds, and whose turn it is."""
