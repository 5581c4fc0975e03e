"""Commands for those who write values files: `new`, `import`, `diff` and `iam-policy`."""
