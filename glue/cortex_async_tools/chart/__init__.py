"""What every tool needs: find the chart and helm, check a values file, and render the chart."""
