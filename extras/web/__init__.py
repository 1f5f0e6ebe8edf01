"""Web: the chat over WebSocket, and a page for the browser."""
