"""The image that the user gives, as pixels; and the cache of encoded images."""
