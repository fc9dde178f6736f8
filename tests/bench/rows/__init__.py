# SPDX-License-Identifier: Apache-2.0
"""The measurements, one file per subject. `GROUPS` of each: name → function(bench) that adds rows."""
