# SPDX-License-Identifier: Apache-2.0
"""Drives `clew` from outside: starts it beside real programs and compares its spans with what the clients saw."""
