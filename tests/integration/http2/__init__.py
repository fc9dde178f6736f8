# SPDX-License-Identifier: Apache-2.0
"""The bed of gRPC and HTTP/2 stacks."""
