"""The embedded faces: action units, a face model, and the strokes that draw it."""
