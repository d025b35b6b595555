"""Trainers of Millwright: data sets that `millwright train` prepares become model packages that its inference service runs."""
