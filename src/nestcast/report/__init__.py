"""The seller's page: one HTML file that works offline."""

from nestcast.report.accuracy import Accuracy, find_backtest, read_accuracy
from nestcast.report.advice import Advice
from nestcast.report.click_accuracy import ClickAccuracy
from nestcast.report.page import check_page_name, write_report

__all__ = [
    "Accuracy",
    "Advice",
    "ClickAccuracy",
    "check_page_name",
    "find_backtest",
    "read_accuracy",
    "write_report",
]
