"""The Dataverse Web API (protocols A): each module one part of what it does to a request."""
