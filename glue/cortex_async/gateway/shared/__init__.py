"""One gateway for many APIs: it finds them by their ConfigMaps, which the chart makes."""
