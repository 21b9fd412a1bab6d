"""The main job in one run on real data, through the same edges that users have."""
