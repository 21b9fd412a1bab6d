"""W3C Thing Descriptions, part by part: each module reads one part, or refuses it with a reason."""
