"""Coding agents use tilewright as a server of the Model Context Protocol: `tilewright mcp`."""
