"""Commands for authors of values files: `new`, `import`, `diff` and `iam-policy`."""
