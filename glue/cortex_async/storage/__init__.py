"""What the bucket holds of a request, and the memory that uploads into it take."""
