# SPDX-License-Identifier: MIT OR Apache-2.0
"""Bodies for `cargo xtask openapi`: to schemathesis they are any bytes, of media types that it does not know."""

import schemathesis


@schemathesis.serializer("application/cbor", "application/octet-stream")
def octets(ctx, value):
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    return str(value).encode("utf-8", "surrogatepass")
