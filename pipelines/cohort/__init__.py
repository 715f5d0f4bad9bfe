"""Cohorts: folders of patients with known outcomes, to train on and to judge by."""
