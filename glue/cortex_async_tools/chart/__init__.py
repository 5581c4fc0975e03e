"""The chart and its values files, as the commands see them: found, checked, and rendered by helm."""
