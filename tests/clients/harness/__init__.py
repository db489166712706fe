"""What the client matrix and the crash loop are made of."""
