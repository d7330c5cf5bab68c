"""Files into a model: the pair of GGUF files, and what comes with the package."""
