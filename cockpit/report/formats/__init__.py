"""The forms of a report, each a rendering of an Account; and a situation as text and as JSON."""
