//! The story on a real API server.
