"""Each has `open_hub(members, others, write)`: what publishes one event to the members, and not to the others."""
