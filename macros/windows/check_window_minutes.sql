{#-
  Refuse, before anything is written, to add windows of one length to marts that were built with another: their rows
  could not be told apart.
-#}
{% macro check_window_minutes() %}
    {%- if execute and not flags.FULL_REFRESH -%}
        {%- for node in graph.nodes.values()
            if 'strata.window_minutes' in (node.config.get('tblproperties') or {}) and node.unique_id in selected_resources -%}
            {%- set relation = load_relation(_place_of(node.name)) -%}
            {%- set built_with = none if relation is none else _table_property(relation, 'strata.window_minutes') -%}
            {%- if built_with is not none and built_with | int != var('window_minutes') | int -%}
                {% do exceptions.raise_compiler_error(
                    relation ~ " was built with windows of " ~ built_with ~ " minutes and window_minutes is "
                    ~ var('window_minutes') ~ ": set it back, or build everything anew with"
                    ~ " 'dbt build --full-refresh --vars {window_minutes: " ~ var('window_minutes') ~ "}'."
                ) %}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}
