{#- The condition that a value lies outside its bounds; the bounds themselves lie outside if `strictly` is true. -#}
{% macro outside_bounds(value, min_value, max_value, strictly) %}
    {%- set or_equal = '=' if strictly else '' -%}
    {%- set conditions = [] -%}
    {%- if min_value is not none -%}
        {%- do conditions.append(value ~ ' <' ~ or_equal ~ ' ' ~ min_value) -%}
    {%- endif -%}
    {%- if max_value is not none -%}
        {%- do conditions.append(value ~ ' >' ~ or_equal ~ ' ' ~ max_value) -%}
    {%- endif -%}
    {%- if not conditions -%}
        {%- do exceptions.raise_compiler_error('Give the test a min_value, a max_value, or both.') -%}
    {%- endif -%}
    {{ return(conditions | join(' or ')) }}
{% endmacro %}
