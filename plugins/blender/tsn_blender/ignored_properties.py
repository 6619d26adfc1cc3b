"""The RNA properties that can't change a pixel of the exported frames. All others count.

Ignored are the state of editors and the viewport, values that are computed from other properties, and what the export
sets itself. Plain Python.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

IGNORED = {
    # bookkeeping of data-blocks
    "rna_type", "name_full", "session_uid", "original", "users", "use_fake_user", "use_extra_user", "tag", "library",
    "library_weak_reference", "asset_data", "override_library", "preview", "is_missing", "is_runtime_data",
    "color_tag", "description",
    # editors and the viewport
    "select", "select_control_point", "select_left_handle", "select_right_handle", "select_head", "select_tail",
    "vertex_selection", "edge_selection", "pin", "lock", "hide_viewport", "hide_select", "show_expanded",
    "show_viewport", "show_in_editmode", "show_on_cage", "show_only_control_edges", "show_options", "show_preview",
    "show_texture", "show_name", "show_names", "show_axis", "show_axes", "show_bounds", "show_wire", "show_all_edges",
    "show_texture_space", "show_sensor", "show_limits", "show_mist", "show_passepartout", "passepartout_alpha",
    "show_instancer_for_viewport", "use_pin_to_last", "use_preview_range", "motion_path", "animation_visualization",
    "is_open", "panels", "bl_idname", "bl_label", "bl_description", "bl_icon", "bl_static_type",
    # computed from other properties, or from the current frame
    "frame_current", "frame_subframe", "frame_float", "frame_current_final", "is_valid", "is_name_valid", "co_ui",
    "normals", "loop_triangles", "loop_triangle_polygons", "vertex_normals", "polygon_normals", "corner_normals",
    "child_particles", "particles", "strip_time", "texture_paint_images", "texture_paint_slots", "all_objects",
    "action_suitable_slots", "last_slot_identifier", "edit_bones", "texture_mesh", "texco_mesh",
}  # fmt: skip
"""Ignored in every struct."""

IGNORED_PREFIXES = (
    "active",
    "preview_",
    "use_preview_",
    "display_",
    "viewport_",
    "show_composition_",
    "show_safe_",
    "debug_",
)
NOT_IGNORED = {"active_render", "use_pass_combined"}
"""Count although they begin with an ignored prefix."""

IGNORED_IN = {
    "Scene": {
        "frame_start", "frame_end", "frame_step", "frame_preview_start", "frame_preview_end",
        "lock_frame_selection_to_range", "show_subframe", "show_keys_from_selected_only", "sync_mode", "node_tree",
        "use_nodes", "compositing_node_group", "sequence_editor", "keying_sets", "keying_sets_all", "tool_settings",
        "safe_areas", "timeline_markers", "transform_orientation_slots", "cursor", "use_audio", "use_audio_scrub",
        "audio_doppler_speed", "audio_doppler_factor", "audio_distance_model", "audio_volume", "grease_pencil",
        "view_settings", "sequencer_colorspace_settings", "display_settings", "view_layers", "collection", "objects",
        "camera", "hydra", "use_stamp_note", "is_nla_tweakmode", "time_jump_unit", "time_jump_delta", "annotation",
        "name",
    },
    "RenderSettings": {
        "filepath", "image_settings", "ffmpeg", "threads", "threads_mode", "use_placeholder", "use_overwrite",
        "use_compositing", "use_sequencer", "use_file_extension", "use_lock_interface", "use_render_cache", "bake",
        "bake_type", "bake_margin", "bake_margin_type", "bake_bias", "bake_samples", "bake_user_scale",
        "use_bake_clear", "use_bake_multires", "use_bake_lores_mesh", "use_bake_selected_to_active",
        "use_bake_user_scale", "sequencer_gl_preview", "use_sequencer_override_scene_strip", "use_single_layer",
        "use_persistent_data", "metadata_input", "ppm_factor", "ppm_base", "use_stamp", "stamp_note_text",
        "stamp_font_size", "stamp_foreground", "stamp_background", "use_stamp_time", "use_stamp_date",
        "use_stamp_frame", "use_stamp_frame_range", "use_stamp_camera", "use_stamp_lens", "use_stamp_scene",
        "use_stamp_note", "use_stamp_marker", "use_stamp_filename", "use_stamp_sequencer_strip",
        "use_stamp_render_time", "use_stamp_labels", "use_stamp_memory", "use_stamp_hostname",
    },
    "UnitSettings": {
        "system", "system_rotation", "use_separate", "length_unit", "mass_unit", "time_unit", "temperature_unit",
    },
    "ViewLayer": {"layer_collection", "objects", "depsgraph", "pass_cryptomatte_depth"},
    "Collection": {"collection_objects", "collection_children", "exporters"},
    "Object": {
        "matrix_world", "matrix_local", "matrix_basis", "dimensions", "display", "empty_display_type",
        "empty_display_size", "lock_location", "lock_rotation", "lock_rotation_w", "lock_rotations_4d", "lock_scale",
        "use_camera_lock_parent", "selection_sets", "use_mesh_mirror_x", "use_mesh_mirror_y", "use_mesh_mirror_z",
    },
    "PoseBone": {
        "matrix", "matrix_basis", "child", "color", "lock_location", "lock_rotation", "lock_rotation_w",
        "lock_rotations_4d", "lock_scale", "custom_shape_wire_width",
    },
    "Bone": {"hide", "color", "children"},
    "Camera": {"angle", "angle_x", "angle_y", "lens_unit"},  # computed from lens and sensor
    "Mesh": {
        "uv_layer_clone", "uv_layer_stencil", "uv_layer_clone_index", "uv_layer_stencil_index", "color_attributes",
    },
    "MeshVertex": {"hide", "undeformed_co", "groups"},
    "MeshEdge": {"hide"},
    "MeshPolygon": {"hide", "vertices", "loop_total"},
    "ParticleSystem": {"point_cache"},  # its frames come from the settings and the scene
    "ParticleSettings": {"trail_count"},
    "PointCache": {"point_caches", "index"},
    "Image": {"filepath_raw", "pixels", "render_slots", "bindcode"},
    "NodeTree": {
        "default_group_node_width", "nodes", "links", "use_viewer_border", "execution_mode", "edit_quality",
        "annotation", "grease_pencil", "tsn",
    },
    "Node": {
        "location", "location_absolute", "width", "height", "label", "parent", "color", "use_custom_color", "hide",
        "inputs", "outputs", "internal_links", "dimensions", "warning_propagation",
    },
    "FCurve": {"color", "color_mode", "hide", "group"},
    "ActionChannelbag": {"groups"},
    "Action": {"groups", "pose_markers", "frame_start", "frame_end", "frame_range", "use_frame_range"},
    "Keyframe": {"type"},
    "NlaTrack": {"name"},
    "ShapeKey": {"data", "points"},  # read separately: their type depends on the shape
    "Modifier": {
        "is_active", "execution_time", "open_output_attributes_panel", "open_manage_panel", "open_bake_panel",
        "open_named_attributes_panel", "open_bake_data_blocks_panel", "open_warnings_panel", "node_warnings",
        "show_group_selector",
    },
    "CyclesRenderSettings": {"bake_type", "texture_limit"},
}  # fmt: skip
"""Ignored in one struct, and in those derived from it."""

IN_ATTRIBUTES = {
    "Mesh": {"vertices", "edges", "loops", "polygons", "vertex_colors"},
    "MeshUVLoopLayer": {"data", "uv"},
}
"""What a mesh's attributes hold as well, in Blender versions that store all mesh data as attributes."""
COUNTED_READ_ONLY = {"Bone": {"matrix_local", "head_local", "tail_local"}, "Attribute": {"domain"}}
"""Count although they are read-only."""


def affects_render(struct_names: Iterable[str], prop: Any, *, mesh_attributes: bool) -> bool:
    """Whether a property can change the render.

    Args:
        struct_names: the RNA identifiers of the struct and of its bases.
        prop: the property in RNA (`bpy.types.Property`).
        mesh_attributes: whether this Blender stores all mesh data as attributes.
    """
    names, name = list(struct_names), prop.identifier
    if name in IGNORED or (name.startswith(IGNORED_PREFIXES) and name not in NOT_IGNORED):
        return False
    if any(name in IGNORED_IN.get(struct, ()) for struct in names):
        return False
    if mesh_attributes and any(name in IN_ATTRIBUTES.get(struct, ()) for struct in names):
        return False
    if name.startswith("use_pass_") and name not in NOT_IGNORED:  # a link to the pass's socket shows that it is on
        return False
    if prop.type in {"POINTER", "COLLECTION"} or not prop.is_readonly:
        return True
    return any(name in COUNTED_READ_ONLY.get(struct, ()) for struct in names)
