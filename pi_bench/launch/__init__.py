"""The two parties as processes: starting them, leading them, checking what they computed."""
