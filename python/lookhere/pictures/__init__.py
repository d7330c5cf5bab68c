"""Pictures for people: the gaze over an image, and its token grid."""
