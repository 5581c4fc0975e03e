"""Tests of the chart, by the real helm: what it renders, and what it refuses."""
