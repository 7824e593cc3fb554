"""Has no store."""
