"""The API's scaling, simulated: what the chart renders, against the algorithm that it stands for."""
