"""A stand-in of one Kubernetes cluster: its API over HTTPS, and a control loop that goes by the clock."""
