"""What each series is for: the rules from headers to a role, a site's own rules, and diffusion series put together."""
