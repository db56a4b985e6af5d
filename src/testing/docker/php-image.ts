/** The image with PHP and its memcached extensions, which no official image has: Debian's own packages. */

/** What the image is called where it is kept. */
export const PHP_IMAGE = 'stormlamp-php:debian-12';

/** How it is made. */
export const PHP_DOCKERFILE = `FROM debian:bookworm-slim
RUN apt-get update \\
 && apt-get install -y --no-install-recommends php-cli php-memcached php-memcache php-igbinary php-msgpack php-mysql \\
 && rm -rf /var/lib/apt/lists/*
ENV PHP_VERSION=8.2
`;
