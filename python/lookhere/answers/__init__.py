"""What is asked, and the answer as it is made."""
