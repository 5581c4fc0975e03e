"""Tests of local mode, each with real processes."""
