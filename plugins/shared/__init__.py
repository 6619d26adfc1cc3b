"""What both plug-ins need and no host provides: plain Python, standard library only, for Python 3.9 and later.

Both import it as `.shared`. `make_zips.py` puts a copy of this folder into each plug-in that it packs; when Nuke loads
its plug-in from the repository, `tsn_nuke/__init__.py` finds this folder where it lies.
"""
