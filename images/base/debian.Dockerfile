# Where no registry of images is reachable: Debian 12 from a root file system that mmdebstrap made of its packages.
FROM scratch
ADD rootfs.tar /
ENV LANG=C.UTF-8
CMD ["/bin/bash"]
