"""The server: an artifact behind an OpenAI-compatible endpoint, with dynamic batching."""
