"""The page that a server shows at its root, and what it is made of.

``files`` serves the HTML, the CSS and the ES modules that lie in this folder, ``facts`` says what they need to know of
the model, ``visitors`` counts who has the page open. There is no build step, and nothing is loaded from elsewhere.
"""
