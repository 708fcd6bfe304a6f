{#- The start of the window that a timestamp is in: windows of `window_minutes` count from midnight UTC, half-open. -#}
{% macro window_start(column) -%}
    timestamp_seconds(
        unix_seconds({{ column }}) - pmod(unix_seconds({{ column }}), {{ var('window_minutes') * 60 }})
    )
{%- endmacro %}
