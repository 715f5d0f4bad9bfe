"""The synthetic cohort: virtual patients, their pelvic MR as DICOM, and the truth behind them."""
