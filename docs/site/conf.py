# SPDX-License-Identifier: MIT
"""Sphinx's configuration. build.py copies it beside the pages, with Doxygen's XML above."""
import pathlib

here = pathlib.Path(__file__).resolve().parent
project = 'aioc'
author = 'the aioc authors'
copyright = author
extensions = ['breathe', 'myst_parser']
breathe_projects = {'aioc': str(here.parent / 'xml')}
breathe_default_project = 'aioc'
breathe_domain_by_extension = {'h': 'c'}  # else C++'s
breathe_show_include = False
breathe_show_define_initializer = False
primary_domain = 'c'
highlight_language = 'text'
myst_enable_extensions = ['colon_fence']
myst_heading_anchors = 3
html_theme = 'furo'
html_title = 'aioc'
html_theme_options = {'navigation_with_keys': True}
smartquotes = False
html_static_path = ['static']
html_css_files = ['aioc.css']
html_copy_source = False
html_show_sphinx = False
exclude_patterns = ['site']
